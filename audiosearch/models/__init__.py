"""Networks: how weights become something that runs."""
