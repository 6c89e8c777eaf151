"""What runs inside the jail, beside the code of a submission. The grader imports it as well."""
