"""Progress bars and live displays in a terminal."""
