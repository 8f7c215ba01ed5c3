"""What `kirana doctor` looks at, in plain words and with the mend for each."""
