"""Every operation of the contract, called once for success and once for an error, on a store made by the API itself."""
