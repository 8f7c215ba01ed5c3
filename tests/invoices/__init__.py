"""The invoices of the command line."""
