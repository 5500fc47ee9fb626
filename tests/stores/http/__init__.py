"""Static servers, and the stores that read from them."""
