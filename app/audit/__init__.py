"""Do the books balance? Each check is a SELECT that returns the rows where they do not."""
