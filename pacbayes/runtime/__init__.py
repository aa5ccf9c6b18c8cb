"""Seeds, progress, environment, and files that survive a crash."""
