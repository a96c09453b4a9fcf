"""From files to frozen values, with errors that name the line."""
