"""One family of autoencoders a module, one contract for all: `autoencoder.Autoencoder`."""
