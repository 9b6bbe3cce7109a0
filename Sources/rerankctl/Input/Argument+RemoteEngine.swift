public import ArgumentParser
public import RemoteEngine

extension RemoteEngineConfiguration.DialectName: ExpressibleByArgument {}
