"""What a user of the runner gets: artifacts made by the product's own path, and the figures of a release."""
