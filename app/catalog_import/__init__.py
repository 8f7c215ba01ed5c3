"""Catalogs from files: a parser a format, one neutral definition, one loader.

A parser streams ``Product`` and ``Reject``; the loader CALLs ``save_brand``, ``save_category``, ``import_products`` and
``receive_opening_stock`` as ``kirana_command``. A row that is no good is told with its line; the rest goes in.
"""
