"""The description of the HTTP interface: its bodies, fields, statuses and errors."""
