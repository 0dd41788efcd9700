"""From a request to sound: references heard, decisions taken, chunks decoded, every station on the way hashed."""
