"""Questions: each rule of spec/1.0/rules.toml is a function from evidence to an answer."""
