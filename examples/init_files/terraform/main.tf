# One application, buffered behind an HTTP API and streaming behind a Function URL.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Since 6.29, a public Function URL has both permissions that AWS requires.
      version = "~> 6.29"
    }
  }
}

locals {
  name     = "bridge-example"
  artifact = "${path.module}/../build/function.zip"
}

# Lambda takes 50 MB in a direct upload, and 250 MB (unzipped) from a bucket.
resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "${local.name}-"
  force_destroy = true
}

resource "aws_s3_object" "artifact" {
  bucket = aws_s3_bucket.artifacts.bucket
  key    = "${filesha256(local.artifact)}.zip"
  source = local.artifact
}

resource "aws_iam_role" "function" {
  name = local.name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.function.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "api" {
  function_name    = "${local.name}-api"
  role             = aws_iam_role.function.arn
  s3_bucket        = aws_s3_object.artifact.bucket
  s3_key           = aws_s3_object.artifact.key
  source_code_hash = filebase64sha256(local.artifact)
  handler          = "bridge.entrypoint.handler"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 512
  timeout          = 29 # seconds; an HTTP API waits for 30

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.api.name
  }
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/aws/lambda/${local.name}-api"
  retention_in_days = 30
}

resource "aws_apigatewayv2_api" "http" {
  name          = local.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "api" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.api.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "any_request" {
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.api.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true
}

resource "aws_lambda_permission" "http" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.api.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.http.execution_arn}/*"
}

resource "aws_lambda_function" "streaming" {
  function_name    = "${local.name}-streaming"
  role             = aws_iam_role.function.arn
  s3_bucket        = aws_s3_object.artifact.bucket
  s3_key           = aws_s3_object.artifact.key
  source_code_hash = filebase64sha256(local.artifact)
  handler          = "bridge.entrypoint.handler"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 512
  timeout          = 300

  environment {
    variables = {
      AWS_LAMBDA_EXEC_WRAPPER = "/var/task/bridge/runtime/bootstrap"
      BRIDGE_RESPONSE_MODE    = "stream"
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.streaming.name
  }
}

resource "aws_cloudwatch_log_group" "streaming" {
  name              = "/aws/lambda/${local.name}-streaming"
  retention_in_days = 30
}

resource "aws_lambda_function_url" "streaming" {
  function_name      = aws_lambda_function.streaming.function_name
  authorization_type = "NONE" # public
  invoke_mode        = "RESPONSE_STREAM"
}

output "api_url" {
  value = aws_apigatewayv2_stage.default.invoke_url
}

output "streaming_url" {
  value = aws_lambda_function_url.streaming.function_url
}
