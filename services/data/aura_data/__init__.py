"""Tables, named data sets, catalogues and embedding neighbours."""
