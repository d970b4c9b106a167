"""What a back-test takes from hummingbot: configs, controllers, the data provider, the connector."""
