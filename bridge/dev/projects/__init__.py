"""Reading what a project says about its functions: serverless.yml, SAM templates, pyproject.toml, .env."""
