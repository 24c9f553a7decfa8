"""The routes of the HTTP interface and of the page, one file a subject."""
