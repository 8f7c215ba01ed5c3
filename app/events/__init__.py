"""Events out, without a database: what there is to tell, how it is written, signed and sent, and where to."""
