"""What ``http(s)://`` stores are made of."""
