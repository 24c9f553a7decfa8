"""An index kept and searched by Milvus: a second implementation of what `Index` stands on."""
