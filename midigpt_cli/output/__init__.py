"""What commands give back: files, reports, pictures, progress."""
