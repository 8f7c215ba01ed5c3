"""Settlement files of gateways: which columns are read, under whose names, and how (docs/operations/money.md)."""
