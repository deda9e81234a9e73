"""No tables: the app lends its one job kind to the tests that kill workers."""
