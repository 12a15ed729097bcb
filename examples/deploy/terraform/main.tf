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

resource "aws_lambda_function" "buffered" {
  function_name    = "${local.name}-buffered"
  role             = aws_iam_role.function.arn
  filename         = local.artifact
  source_code_hash = filebase64sha256(local.artifact)
  handler          = "bridge.entrypoint.handler"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 512
  timeout          = 29 # seconds; an HTTP API waits for 30
}

resource "aws_apigatewayv2_api" "http" {
  name          = local.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "buffered" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.buffered.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "everything" {
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.buffered.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true
}

resource "aws_lambda_permission" "http" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.buffered.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.http.execution_arn}/*"
}

resource "aws_lambda_function" "streaming" {
  function_name    = "${local.name}-streaming"
  role             = aws_iam_role.function.arn
  filename         = local.artifact
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
}

resource "aws_lambda_function_url" "streaming" {
  function_name      = aws_lambda_function.streaming.function_name
  authorization_type = "NONE" # public
  invoke_mode        = "RESPONSE_STREAM"
}

output "buffered_url" {
  value = aws_apigatewayv2_stage.default.invoke_url
}

output "streaming_url" {
  value = aws_lambda_function_url.streaming.function_url
}
