"""Two hundred files of each picture format, whole and broken, against Pillow."""
