"""The warehouse's SQL, as files, and the few modules that read, flatten and deploy them."""
