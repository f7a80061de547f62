"""Prepares an Ostiary for the OpenID Foundation's conformance suite, and has the suite run its plans against it."""
