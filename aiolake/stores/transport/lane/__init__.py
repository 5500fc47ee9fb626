"""A narrow, fast HTTP/1.1 client: GET and HEAD, nothing unusual; the rest is aiohttp's."""
