"""Commands that make what is checked in under static/vendor."""
