"""Mappings know what should change. Pure: no I/O but the loading of YAML and workbooks."""
