"""What people see: REST API, Egeria's paths, web pages."""
