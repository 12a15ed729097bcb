"""Functions, variables and routes in a SAM template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway.routes import FunctionRoute
from bridge.dev.projects.discover import find_project
from tests.dev.projects.readers import TEMPLATE, routes, sam

if TYPE_CHECKING:
    from pathlib import Path

SHOP = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.13
    Timeout: 7
    CodeUri: src/
    Environment: {Variables: {SHARED: '1', TABLE: !Ref Table}}
  Api: {BinaryMediaTypes: ['image~1png', '*~1*']}
Resources:
  Table: {Type: AWS::Serverless::SimpleTable}
  Dogs:
    Type: AWS::Serverless::Function
    Properties:
      Handler: dogs.handler
      Environment: {Variables: {OWN: '2'}}
      Events:
        One: {Type: Api, Properties: {Path: '/dogs/{id}', Method: get}}
        Two: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Cats:
    Type: AWS::Serverless::Function
    Properties:
      Handler: bridge.entrypoint.handler
      CodeUri: ./cats
      Timeout: 3
      Environment: {Variables: {BRIDGE_APP: 'app:app'}}
      Events:
        All: {Type: Api, Properties: {Path: '/cats/{proxy+}', Method: ANY}}
  Nightly: {Type: AWS::Serverless::Function, Properties: {Handler: jobs.nightly}}
  Web: {Type: AWS::Serverless::Function, Properties: {Handler: index.handler, Runtime: nodejs22.x}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
"""


def test_functions_have_the_properties_of_the_globals_and_their_own(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "cats").mkdir()
    project = sam(tmp_path, SHOP)
    dogs, cats = project.functions
    assert (dogs.name, dogs.app, dogs.is_handler, dogs.folder) == ("Dogs", "dogs.handler", True, tmp_path / "src")
    assert (dogs.environment, dogs.timeout) == ({"SHARED": "1", "OWN": "2"}, 7)
    assert (cats.name, cats.app, cats.is_handler, cats.folder) == ("Cats", "app:app", False, tmp_path / "cats")
    assert (cats.environment, cats.timeout) == ({"SHARED": "1", "BRIDGE_APP": "app:app"}, 3)
    assert dogs.routes == [FunctionRoute("GET", "/dogs/{id}", "Dogs")]
    assert cats.routes == [FunctionRoute("ANY", "/cats/{proxy+}", "Cats")]
    assert (project.source, project.binary_media_types) == ("rest-api", ("image/png", "*/*"))


@pytest.mark.parametrize(
    ("properties", "source", "route"),
    [
        ("Events: {A: {Type: HttpApi}}", "http-api", ("ANY", "$default", "F")),
        ("Events: {A: {Type: HttpApi, Properties: {Path: /a, Method: put}}}", "http-api", ("PUT", "/a", "F")),
        ("Events: {A: {Type: HttpApi, Properties: {Path: $default}}}", "http-api", ("ANY", "$default", "F")),
        (
            "Events: {A: {Type: Api, Properties: {Path: /a, Method: x-amazon-apigateway-any-method}}}",
            "rest-api",
            ("ANY", "/a", "F"),
        ),
        ("FunctionUrlConfig: {AuthType: NONE}", "function-url", None),
        ("FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}", "function-url", None),
        ("Timeout: !Ref Seconds", None, None),
    ],
)
def test_the_events_name_the_front_door(
    tmp_path: Path, properties: str, source: str | None, route: tuple[str, str, str] | None
) -> None:
    project = sam(tmp_path, TEMPLATE % properties)
    assert project.source == source
    assert routes(project) == ([] if route is None else [route])
    assert project.functions[0].timeout is None


@pytest.mark.parametrize("reference", ["!Ref %s", "{Ref: %s}"])
def test_a_reference_to_a_parameter_is_replaced_by_its_default(tmp_path: Path, reference: str) -> None:
    num, town, table, none = (reference % name for name in ("Num", "Town", "Table", "None"))
    text = f"""
        Parameters: {{Num: {{Default: 12}}, Town: {{Type: String, Default: Oslo}}, None: {{Type: String}}}}
        Globals: {{Function: {{Environment: {{Variables: {{TOWN: {town}, TABLE: {table}}}}}}}}}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {{Handler: a.b, Timeout: {num}, Environment: {{Variables: {{NONE: {none}}}}}}}
        """
    (function,) = sam(tmp_path, text).functions
    assert (function.timeout, function.environment) == (12, {"TOWN": "Oslo"})
    assert function.unresolved_variables == ["TABLE", "NONE"]


FUNCTIONS = """
Parameters:
  Stage: {Type: String, Default: prod}
  Number: {Type: Number, Default: 3}
  Zones: {Type: CommaDelimitedList, Default: 'a, b,c'}
  Secret: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /secret}
  Open: {Type: String}
Mappings:
  Settings: {prod: {Memory: 512, Host: shop.example}, test: {Memory: 128}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Not [!Condition IsProd]
  IsOpen: !Equals [!Ref Open, x]
  Known: !Or [!Condition IsOpen, !Condition IsProd]
  Unknown: !And [!Condition IsOpen, !Condition IsProd]
  Round: !Condition Round
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Handler: a.b, Environment: {Variables: {X: %s}}}
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("!Sub 'shop-${Stage}-${Number}'", "shop-prod-3"),
        ("!Sub ['${a}-${Stage}', {a: !Ref Number}]", "3-prod"),
        ("!Sub 'literal ${!Stage}'", "literal ${Stage}"),
        ("'${Stage}'", "${Stage}"),
        ("{Fn::Sub: '${Stage}'}", "prod"),
        ("!Join ['/', [a, !Ref Stage, !Ref Number]]", "a/prod/3"),
        ("!Join ['-', !Ref Zones]", "a-b-c"),
        ("!Select [1, !Ref Zones]", "b"),
        ("!Select ['0', [!Ref Stage, !Ref Open]]", "prod"),
        ("!Select [1, !Split ['.', 'a.b.c']]", "b"),
        ("!FindInMap [Settings, !Ref Stage, Memory]", "512"),
        ("!FindInMap [Settings, dev, Memory, {DefaultValue: 64}]", "64"),
        ("!If [IsProd, !FindInMap [Settings, prod, Host], other]", "shop.example"),
        ("!If [IsTest, a, b]", "b"),
        ("!If [Known, a, b]", "a"),
        ("!If [IsOpen, a, b]", None),
        ("!If [Unknown, a, b]", None),
        ("!If [Round, a, b]", None),
        ("!If [Nowhere, a, b]", None),
        ("!Sub '${AWS::Region}'", None),
        ("!Sub '${Open}'", None),
        ("!Sub '${Table.Arn}'", None),
        ("!Ref Secret", None),
        ("!Join ['/', [a, !Ref Open]]", None),
        ("!Select [9, !Ref Zones]", None),
        ("!FindInMap [Settings, dev, Memory]", None),
        ("!FindInMap [Settings, !Ref AWS::Region, Memory]", None),
        ("!Join a", None),
        ("!GetAtt Table.Arn", None),
        ("!ImportValue x", None),
    ],
)
def test_a_function_is_replaced_if_the_template_decides_its_value(
    tmp_path: Path, written: str, value: str | None
) -> None:
    (function,) = sam(tmp_path, FUNCTIONS % written).functions
    assert function.environment == ({} if value is None else {"X": value})
    assert function.unresolved_variables == (["X"] if value is None else [])


def test_no_value_removes_a_property_and_an_item(tmp_path: Path) -> None:
    project = sam(tmp_path, FUNCTIONS % "!If [IsProd, !Ref AWS::NoValue, 1]")
    assert (project.functions[0].environment, project.functions[0].unresolved_variables) == ({}, [])
    project = sam(tmp_path, FUNCTIONS % "!Join ['-', [a, !If [IsProd, !Ref AWS::NoValue, b], c]]")
    assert project.functions[0].environment == {"X": "a-c"}


def test_a_function_with_a_condition_that_is_false_is_not_created(tmp_path: Path) -> None:
    text = """
        Conditions: {Never: !Equals [a, b], Perhaps: !Equals [!Ref AWS::Region, eu-west-1]}
        Resources:
          A: {Type: AWS::Serverless::Function, Condition: Never, Properties: {Handler: a.a}}
          B: {Type: AWS::Serverless::Function, Condition: Perhaps, Properties: {Handler: a.b, Events: {E: {Type: Api}}}}
        """
    assert [function.name for function in sam(tmp_path, text).functions] == ["B"]


def test_routes_and_names_may_have_functions(tmp_path: Path) -> None:
    text = """
        Parameters: {Base: {Default: shop}}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              Handler: !Sub '${Base}.handler'
              FunctionName: !Join ['-', [!Ref Base, web]]
              Events: {A: {Type: Api, Properties: {Path: !Sub '/${Base}/{proxy+}', Method: get}}}
        """
    project = sam(tmp_path, text)
    assert project.functions[0].app == "shop.handler"
    assert routes(project) == [("GET", "/shop/{proxy+}", "shop-web")]


@pytest.mark.parametrize(("value", "name"), [("shop", "shop"), ("!Sub 'shop-${Stage}'", "F")])
def test_a_function_has_its_name_on_aws(tmp_path: Path, value: str, name: str) -> None:
    project = sam(tmp_path, TEMPLATE % f"FunctionName: {value}, Events: {{A: {{Type: HttpApi}}}}")
    assert (project.functions[0].name, routes(project)) == (name, [("ANY", "$default", name)])


def test_a_code_uri_that_is_no_folder_on_this_machine_is_the_project(tmp_path: Path) -> None:
    assert sam(tmp_path, TEMPLATE % "CodeUri: s3://b/k").functions[0].folder == tmp_path


def test_bridge_app_of_the_globals_does_not_apply_to_functions_with_their_own_handler(tmp_path: Path) -> None:
    text = """
        Globals: {Function: {Environment: {Variables: {BRIDGE_APP: 'app:app'}}}}
        Resources:
          Web:
            Type: AWS::Serverless::Function
            Properties: {Handler: bridge.entrypoint.handler, Events: {All: {Type: HttpApi}}}
          Worker:
            Type: AWS::Serverless::Function
            Properties: {Handler: app.worker, Events: {One: {Type: HttpApi, Properties: {Path: /w, Method: get}}}}
        """
    assert [(function.app, function.is_handler) for function in sam(tmp_path, text).functions] == [
        ("app:app", False),
        ("app.worker", True),
    ]


CHAT = """
Resources:
  Connect: {Type: AWS::Serverless::Function, Properties: {Handler: chat.connect}}
  Chat: {Type: AWS::Serverless::Function, Properties: {Handler: chat.handler}}
  Other: {Type: AWS::Serverless::Function, Properties: {Handler: other.handler}}
  Sockets:
    Type: AWS::ApiGatewayV2::Api
    Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.type}
  Web: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP}}
  ConnectIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      IntegrationUri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Connect.Arn}/invocations
  ChatIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      IntegrationUri: !Join [/, ['arn:aws:apigateway:x:lambda:path/functions', !GetAtt Chat.Arn, invocations]]
  ConnectRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Sockets, RouteKey: $connect, Target: !Sub 'integrations/${ConnectIntegration}'}
  DefaultRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Sockets, RouteKey: $default, Target: !Join [/, [integrations, !Ref ChatIntegration]]}
  JoinRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Sockets, RouteKey: join, Target: !Sub 'integrations/${ChatIntegration}'}
  WebRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Web, RouteKey: 'GET /', Target: !Sub 'integrations/${ChatIntegration}'}
"""


def test_the_routes_of_a_websocket_api_are_found_through_their_integrations(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(CHAT)
    project = find_project(None, tmp_path, websockets=True)
    assert project.websocket_routes == {"$connect": "Connect", "$default": "Chat", "join": "Chat"}
    assert project.route_selection == "$request.body.type"
    assert [function.name for function in project.functions] == ["Connect", "Chat"]
