"""Backend for an index in Milvus."""
