"""From requests of the contract to calls of the engines and back, one endpoint for each kind of bundle."""
