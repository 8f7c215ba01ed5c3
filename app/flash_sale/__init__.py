"""A flash sale on one SKU, from outside: many shoppers, few units, and what each of them met. See `kirana bench`."""
