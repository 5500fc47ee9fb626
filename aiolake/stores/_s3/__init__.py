"""What S3 says and wants to hear, as pure functions; used by its store."""
