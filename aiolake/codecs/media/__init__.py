"""Video and audio: bytes as given, looked into with PyAV and soundfile, both loaded when needed."""
