// Command live links a good part of the Go ecosystem, so that its module graph has real size.
package main

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc"
	"gopkg.in/yaml.v3"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/metrics", gin.WrapH(promhttp.Handler()))
	command := &cobra.Command{Use: "live", Run: func(*cobra.Command, []string) {
		text, _ := yaml.Marshal(map[string]string{"config": viper.ConfigFileUsed(), "grpc": grpc.Version})
		fmt.Print(string(text), otel.GetTracerProvider() != nil, http.StatusOK, "\n")
	}}
	if err := command.Execute(); err != nil {
		panic(err)
	}
}
