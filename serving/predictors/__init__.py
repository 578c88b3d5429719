"""One engine for each kind of bundle, on plain texts. Serving answers with them and the evaluation stage measures them."""
