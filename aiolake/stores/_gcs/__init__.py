"""Parts of the Google Cloud Storage store."""
