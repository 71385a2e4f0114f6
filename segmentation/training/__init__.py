"""What a run needs beside the recipe in main.py."""
