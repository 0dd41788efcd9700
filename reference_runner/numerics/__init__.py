"""One definition of the network, several ways of doing its arithmetic: `native` float32, `exact` integers."""
