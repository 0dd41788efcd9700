"""The rules, a file per family; the prefix of a file is the prefix of its rules (spec/1.0/rules.toml)."""
