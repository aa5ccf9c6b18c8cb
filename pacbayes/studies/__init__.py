"""Studies: thin recipes that hold the findings of papers against measurements."""
