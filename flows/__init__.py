"""Flows know when. The only room that knows Prefect."""
