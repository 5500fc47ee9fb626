"""What Azure's Blob service says and wants to hear, as pure functions; used by its store."""
