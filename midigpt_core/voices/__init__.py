"""What players can play and how voices move: ranges, hands and strings, parallel fifths and octaves."""
