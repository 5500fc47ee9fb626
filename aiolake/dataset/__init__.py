"""What users hold: sessions, datasets, views, transactions, and their upkeep."""
