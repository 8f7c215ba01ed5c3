"""The tables of schema ``store``, a module per aggregate. ``app.models.tables`` has all; APIs load what they write."""
